! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Euclidean norm without destructive overflow or underflow.
module norms
    use kinds, only: wp, largest, row_block
    implicit none (type, external)
    private
    public :: enorm, is_finite

    ! Entries between these bounds (the upper one divided by their number) can be squared and added safely.
    real(wp), parameter :: small = 3.834e-20_wp
    real(wp), parameter :: large = 1.304e19_wp

contains

    !> Euclidean norm of a vector.
    !>
    !> Up to `row_block` entries are squared and added in the plain order; longer sums are split over SIMD
    !> lanes. Where entries are so small or large that their squares could underflow or overflow, each range
    !> has a sum of its own, scaled by its largest entry. NaN and Inf come out as NaN or Inf.
    !>
    !> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, User guide for MINPACK-1, ANL-80-74 (1980), ENORM.
    !> Differs from MINPACK-1: extreme entries are looked at only when there are any; long sums are reordered.
    pure function enorm(n, x) result(norm)
        integer, intent(in) :: n            !! number of entries, n >= 0
        real(wp), intent(in) :: x(n)        !! the vector
        real(wp) :: norm

        real(wp) :: total
        logical :: ordinary

        if (n <= row_block) then
            call plain_sum_of_squares(n, x, total, ordinary)
        else
            total = tall_sum_of_squares(n, x)
            ordinary = total >= n*small**2 .and. total <= large**2
        end if
        if (ordinary) then
            norm = sqrt(total)
        else
            norm = norm_in_ranges(n, x)
        end if
    end function enorm

    !> Whether a number is neither NaN nor infinite.
    elemental function is_finite(x) result(finite)
        real(wp), intent(in) :: x           !! any number
        logical :: finite

        finite = abs(x) <= largest
    end function is_finite

    !> Sum of squares of at most row_block entries in the plain order, and whether none was too small or large for it.
    pure subroutine plain_sum_of_squares(n, x, total, ordinary)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(out) :: total
        logical, intent(out) :: ordinary

        integer :: i

        ordinary = .true.
        total = 0.0_wp
        do i = 1, n
            if (abs(x(i)) > small .and. abs(x(i)) < large/row_block) then
                total = total + x(i)*x(i)
            else if (x(i) /= 0.0_wp) then
                ordinary = .false.
            end if
        end do
    end subroutine plain_sum_of_squares

    !> Norm with a sum of its own for large, ordinary and small entries.
    pure function norm_in_ranges(n, x) result(norm)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp) :: norm

        real(wp) :: entry, most_large, most_small, large_sum, ordinary_sum, small_sum
        integer :: i

        most_large = 0.0_wp
        most_small = 0.0_wp
        large_sum = 0.0_wp
        ordinary_sum = 0.0_wp
        small_sum = 0.0_wp
        do i = 1, n
            entry = abs(x(i))
            if (.not. entry <= largest) then
                norm = entry
                return
            end if
            if (entry >= large/n) then
                call add_scaled_square(entry, most_large, large_sum)
            else if (entry > small) then
                ordinary_sum = ordinary_sum + entry*entry
            else if (entry > 0.0_wp) then
                call add_scaled_square(entry, most_small, small_sum)
            end if
        end do

        if (large_sum > 0.0_wp) then
            norm = most_large*sqrt(large_sum + (ordinary_sum/most_large)/most_large)
        else if (ordinary_sum > 0.0_wp .and. ordinary_sum >= most_small) then
            norm = sqrt(ordinary_sum*(1.0_wp + (most_small/ordinary_sum)*(most_small*small_sum)))
        else if (ordinary_sum > 0.0_wp) then
            norm = sqrt(most_small*(ordinary_sum/most_small + most_small*small_sum))
        else
            norm = most_small*sqrt(small_sum)
        end if
    end function norm_in_ranges

    !> Add entry**2 to the sum scale**2 * total, keeping the largest entry as the scale.
    pure subroutine add_scaled_square(entry, scale, total)
        real(wp), intent(in) :: entry
        real(wp), intent(inout) :: scale
        real(wp), intent(inout) :: total

        if (entry > scale) then
            total = 1.0_wp + total*(scale/entry)**2
            scale = entry
        else
            total = total + (entry/scale)**2
        end if
    end subroutine add_scaled_square

    pure function tall_sum_of_squares(n, x) result(total)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp) :: total

        integer :: i

        total = 0.0_wp
        !$omp simd reduction(+:total)
        do i = 1, n
            total = total + x(i)*x(i)
        end do
    end function tall_sum_of_squares

end module norms
