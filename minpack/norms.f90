! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Euclidean norm without destructive overflow or underflow.
module norms
    use kinds, only: wp, largest, row_block
    implicit none
    private
    public :: enorm, is_finite

    !> Below this a sum of squares may have lost terms to underflow (tiny/eps, times room for 10**8 terms).
    real(wp), parameter :: safe_minimum = 1.0e-280_wp

contains

    !> Euclidean norm of a vector.
    !>
    !> The plain sum of squares is exact enough whenever it neither overflows nor nears underflow; only
    !> then are the entries scaled by the largest one and summed again. Up to `row_block` terms are added
    !> in the plain order; longer sums are split over SIMD lanes. NaN and Inf come out as NaN or Inf.
    !>
    !> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, User guide for MINPACK-1, ANL-80-74 (1980), ENORM.
    !> Differs from MINPACK-1: one accumulator and a second pass when needed, in place of three accumulators.
    pure function enorm(n, x) result(norm)
        integer, intent(in) :: n            !! number of entries, n >= 0
        real(wp), intent(in) :: x(n)        !! the vector
        real(wp) :: norm

        real(wp) :: total, scale
        integer :: i

        if (n <= row_block) then
            total = plain_sum_of_squares(n, x)
        else
            total = tall_sum_of_squares(n, x)
        end if
        norm = sqrt(total)
        if (total >= safe_minimum .and. total <= largest) return

        scale = 0.0_wp
        do i = 1, n
            scale = max(scale, abs(x(i)))
        end do
        if (.not. (scale > 0.0_wp .and. scale <= largest)) return  ! zero, Inf or NaN throughout
        total = 0.0_wp
        do i = 1, n
            total = total + (x(i)/scale)**2
        end do
        norm = scale*sqrt(total)
    end function enorm

    !> Whether a number is neither NaN nor infinite.
    elemental function is_finite(x) result(finite)
        real(wp), intent(in) :: x           !! any number
        logical :: finite

        finite = abs(x) <= largest
    end function is_finite

    pure function plain_sum_of_squares(n, x) result(total)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp) :: total

        integer :: i

        total = 0.0_wp
        do i = 1, n
            total = total + x(i)*x(i)
        end do
    end function plain_sum_of_squares

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
