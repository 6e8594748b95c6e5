! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The Euclidean norm against exact values, a norm scaled by powers of 2, and at the ends of the number range.
program test_norms
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan, ieee_positive_inf, ieee_is_nan
    use kinds, only: wp, eps, smallest, largest, row_block
    use norms, only: enorm, is_finite
    use testing, only: check, check_at_most, finish, digits_of
    use matrices, only: random_vector, length
    implicit none (type, external)

    call exact_values()
    call random_vectors()
    call mixed_magnitudes()
    call ends_of_the_range()
    call not_finite()
    call finish()

contains

    subroutine exact_values()
        real(wp), parameter :: pair(2) = [3.0_wp, 4.0_wp]
        real(wp) :: zeros(row_block + 1)
        integer :: power

        do power = -1074, 1021, 5
            call check(enorm(2, scale(pair, power)) == scale(5.0_wp, power), &
                       "norm of (3, 4) times 2**"//digits_of(power)//" is exact")
        end do
        zeros = 0.0_wp
        call check(enorm(0, zeros) == 0.0_wp, "norm of nothing is 0")
        call check(enorm(1, zeros) == 0.0_wp, "norm of one zero is 0")
        call check(enorm(size(zeros), zeros) == 0.0_wp, "norm of many zeros is 0")
        call check(enorm(1, [-largest]) == largest, "norm of the largest number is itself")
        call check(enorm(1, [-smallest*eps]) == smallest*eps, "norm of the smallest subnormal number is itself")
        call check(enorm(3, [1.0e200_wp, 1.0_wp, 1.0e-200_wp]) == 1.0e200_wp, "a wide range ends in the largest entry")
    end subroutine exact_values

    !> Either norm may be wrong by eps/2 a term and a little for the root.
    subroutine random_vectors()
        integer, parameter :: lengths(*) = [1, 2, 7, row_block, row_block + 1, 5000]
        real(wp), parameter :: scales(*) = [ &
            1.0_wp, 1.0e200_wp, 1.0e-200_wp, 1.0e-140_wp, 1.0e-141_wp, 1.0e153_wp, 1.0e154_wp]
        real(wp) :: longest(maxval(lengths))
        integer :: i, k, n

        longest = random_vector(size(longest))
        do i = 1, size(lengths)
            n = lengths(i)
            do k = 1, size(scales)
                call check_at_most(relative_error(longest(:n)*scales(k)), (n + 4)*eps, &
                                   "relative error of a norm of "//digits_of(n)//" entries, scale "//digits_of(k))
            end do
        end do
    end subroutine random_vectors

    !> Entries on both sides of where squares begin to lose accuracy or to overflow, close together and far apart.
    subroutine mixed_magnitudes()
        integer, parameter :: n = 40, centres(*) = [-290, -162, -154, -19, 0, 18, 19, 154, 300]
        real(wp), parameter :: decades(*) = [0.0_wp, 3.0_wp]
        real(wp) :: x(n)
        integer :: i, k

        do k = 1, size(centres)
            do i = 1, size(decades)
                x = random_vector(n)*10.0_wp**(decades(i)*random_vector(n))*10.0_wp**centres(k)
                call check_at_most(relative_error(x), (n + 4)*eps, &
                                   "relative error of mixed entries around 1e"//digits_of(centres(k)))
            end do
        end do
    end subroutine mixed_magnitudes

    pure function relative_error(x) result(error)
        real(wp), intent(in) :: x(:)
        real(wp) :: error

        error = abs(enorm(size(x), x)/length(x) - 1.0_wp)
    end function relative_error

    subroutine ends_of_the_range()
        real(wp) :: x(5000)

        call check(.not. is_finite(enorm(2, [largest, largest])), "a norm beyond the largest number is infinite")
        call check(.not. ieee_is_nan(enorm(2, [largest, largest])), "a norm beyond the largest number is not NaN")
        call check(is_finite(enorm(2, [0.7_wp*largest, 0.7_wp*largest])), "a norm below the largest number is finite")

        ! Each square is below the smallest subnormal number.
        x = 1.0e-170_wp
        call check_at_most(relative_error(x), size(x)*eps, "relative error where all squares underflow")
    end subroutine ends_of_the_range

    subroutine not_finite()
        integer, parameter :: n = row_block + 3, positions(*) = [1, 2, row_block, row_block + 1, n]
        real(wp) :: x(n), infinity, nan
        integer :: k

        infinity = ieee_value(1.0_wp, ieee_positive_inf)
        nan = ieee_value(1.0_wp, ieee_quiet_nan)
        do k = 1, size(positions)
            x = random_vector(n)
            x(positions(k)) = -infinity
            call check(enorm(n, x) > largest, "an infinite entry makes the norm infinite: "//digits_of(positions(k)))
            x(positions(k)) = nan
            call check(ieee_is_nan(enorm(n, x)), "a NaN makes the norm NaN: "//digits_of(positions(k)))
            x(3) = infinity
            call check(.not. is_finite(enorm(n, x)), "NaN with Inf is not finite: "//digits_of(positions(k)))
        end do
        call check(ieee_is_nan(enorm(1, [nan])), "the norm of NaN alone is NaN")
        x(1:2) = [nan, 1.0e-200_wp]
        call check(ieee_is_nan(enorm(2, x)), "NaN beside a tiny entry is NaN")
        x(1:2) = [nan, 1.0e200_wp]
        call check(ieee_is_nan(enorm(2, x)), "NaN beside a huge entry is NaN")

        call check(all(is_finite([0.0_wp, -1.0_wp, largest, -largest, smallest*eps])), "finite numbers are finite")
        call check(.not. any(is_finite([infinity, -infinity, nan])), "Inf and NaN are not finite")
    end subroutine not_finite

end program test_norms
