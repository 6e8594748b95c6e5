! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Where fits start: peaks, functions on grids and waves that are known, alone and in company, complete and with gaps.
program test_guesses
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan
    use kinds, only: wp, eps
    use lane_widths_baseline, only: width
    use lane_beyond_half_baseline, only: find_peaks
    use lane_grids_baseline, only: choose_functions, sum_products
    use lane_oscillations_baseline, only: fit_waves
    use testing, only: check, check_at_most, check_equal, finish
    implicit none (type, external)

    call random_init(repeatable=.true., image_distinct=.false.)
    call check_peaks_on_line()
    call check_peaks_in_images()
    call check_gaps()
    call check_choice(5)
    call check_choice(8)
    call check_choice(19)
    call check_ruled_out()
    call check_products(3)
    call check_products(11)
    call check_waves()
    call finish()

contains

    !> A triangle, whose moments beyond half height are known: for weights (1 - |t|)², the mean of t² is 1/10.
    subroutine check_peaks_on_line()
        integer, parameter :: m = 4001, fits = width + 3
        real(wp), allocatable :: x(:, :, :), y(:, :), work(:)
        real(wp) :: peaks(5, fits), alone(5, 1), centre, sign
        integer :: i, k

        allocate (x(m, 1, 1), y(m, fits), work(width*m*3))
        x(:, 1, 1) = [(-7.0_wp + i*5.0e-3_wp, i = 1, m)]
        do k = 1, fits
            centre = 0.2_wp*k
            sign = (-1.0_wp)**k
            y(:, k) = 3.0_wp + sign*max(0.0_wp, 2.0_wp - abs(x(:, 1, 1) - centre))
        end do
        call find_peaks(1, 1, m, 1, fits, x, y, peaks, work)
        do k = 1, fits
            call check_equal(nint(sign_of(peaks(1, k))), (-1)**k, "peaks point up and down")
            call check_at_most(abs(peaks(3, k) - 0.2_wp*k), 1.0e-9_wp, "centre")
            call check_at_most(abs(peaks(4, k) - sqrt(0.7_wp)), 1.0e-4_wp, "half width")
            call check_at_most(abs(peaks(5, k)), 1.0e-6_wp, "skewness")
            call find_peaks(1, 1, m, 1, 1, x, y(:, k), alone, work)
            call check(all(alone(:, 1) == peaks(:, k)), "no peak depends on the others")
        end do
    end subroutine check_peaks_on_line

    !> A cone, elongated and at an angle; for weights (1 - r)², the mean of r² is 1/5.
    subroutine check_peaks_in_images()
        integer, parameter :: side = 301, m = side*side
        real(wp), allocatable :: x(:, :, :), y(:, :), work(:)
        real(wp) :: peaks(7, 1), u, v, expected(3)
        integer :: i

        allocate (x(m, 2, 1), y(m, 1), work(width*m*4))
        do i = 1, m
            x(i, :, 1) = [0.02_wp*mod(i - 1, side), 10.0_wp + 0.02_wp*((i - 1)/side)]
            u = (x(i, 1, 1) - 2.9_wp)*0.8_wp + (x(i, 2, 1) - 13.1_wp)*0.6_wp
            v = (x(i, 2, 1) - 13.1_wp)*0.8_wp - (x(i, 1, 1) - 2.9_wp)*0.6_wp
            y(i, 1) = max(0.0_wp, 2.0_wp - hypot(u, 2.0_wp*v))
        end do
        call find_peaks(5, 2, m, 1, 1, x, y, peaks, work)
        call check_at_most(maxval(abs(peaks(3:4, 1) - [2.9_wp, 13.1_wp])), 1.0e-6_wp, "centre of an ellipse")
        expected = 0.1_wp*4.0_wp/log(2.0_wp)*[0.64_wp + 0.09_wp, 0.48_wp - 0.12_wp, 0.36_wp + 0.16_wp]
        call check_at_most(maxval(abs(peaks(5:7, 1) - expected)), 1.0e-3_wp, "covariance of an ellipse")
        call check(peaks(1, 1) > 1.0_wp, "its amplitude")
    end subroutine check_peaks_in_images

    !> Points without observation are as good as left out.
    subroutine check_gaps()
        integer, parameter :: m = 60
        real(wp) :: x(m, 1, 1), y(m), peak(5, 1), shorter(5, 1), work(width*m*3)
        integer, allocatable :: there(:)
        integer :: i, shape

        x(:, 1, 1) = [(0.1_wp*i, i = 1, m)]
        call random_number(y)
        y = 0.1_wp*y + 1.0_wp/(1.0_wp + (x(:, 1, 1) - 2.0_wp)**2)
        y(5:m - 5:7) = ieee_value(1.0_wp, ieee_quiet_nan)
        there = pack([(i, i = 1, m)], abs(y) < huge(y))
        do shape = 1, 4
            call find_peaks(shape, 1, m, 1, 1, x, y, peak, work)
            call find_peaks(shape, 1, size(there), 1, 1, x(there, :, :), y(there), shorter, work)
            call check_at_most(maxval(abs(peak - shorter)), 1.0e-13_wp, "points left out")
        end do
    end subroutine check_gaps

    !> Of functions that are their own data sets, each is chosen; tables of each set's own give the same bits.
    subroutine check_choice(n)
        integer, intent(in) :: n

        integer, parameter :: m = 30
        real(wp) :: functions(m, n, n), y(m, n), allowed(n, n), chosen(3, n), own(3, n), alone(3, 1)
        integer :: j, k

        call random_number(functions(:, :, 1))
        do k = 1, n
            functions(:, :, k) = functions(:, :, 1)
            y(:, k) = 1.0e3_wp*k*functions(:, k, 1) - 5.0_wp
            if (mod(k, 3) == 0) y(k:k + 3, k) = ieee_value(1.0_wp, ieee_quiet_nan)
        end do
        allowed = 1.0_wp
        call choose(.true., n, m, 1, n, functions, y, allowed, chosen)
        call choose(.true., n, m, n, n, functions, y, allowed, own)
        call check(all(chosen == own), "tables of each set's own")
        do k = 1, n
            call check_equal(nint(chosen(1, k)), k - 1, "which function")
            call check_at_most(abs(chosen(2, k)/(1.0e3_wp*k) - 1.0_wp), 50.0_wp*eps, "its amplitude")
            call check_at_most(abs(chosen(3, k) + 5.0_wp), 1.0e5_wp*n*eps, "the offset")
            call choose(.true., n, m, 1, 1, functions, y(:, k), allowed, alone)
            call check(all(alone(:, 1) == chosen(:, k)), "no choice depends on the others")
        end do
        do j = 1, n
            y(:, j) = 7.0_wp*functions(:, j, 1)
        end do
        call choose(.false., n, m, 1, n, functions, y, allowed, chosen)
        call check_at_most(maxval(abs(chosen(2, :) - 7.0_wp)), 100.0_wp*eps, "amplitude without offset")
        call check(all(chosen(3, :) == 0.0_wp), "no offset")
    end subroutine check_choice

    subroutine choose(with_offset, n, m, tables, fits, functions, y, allowed, chosen)
        logical, intent(in) :: with_offset
        integer, intent(in) :: n, m, tables, fits
        real(wp), intent(in) :: functions(m, n, tables), y(m, fits), allowed(n, fits)
        real(wp), intent(inout) :: chosen(3, fits)

        real(wp) :: work(width*m*3), moments(width*n*3), lines(width*n*3), possible(width*n)

        call choose_functions(with_offset, n, m, tables, fits, fits, functions, y, allowed, chosen, work, moments, &
                              lines, possible)
    end subroutine choose

    !> What is ruled out is not chosen, though it fits best.
    subroutine check_ruled_out()
        integer, parameter :: m = 20, n = 9
        real(wp) :: functions(m, n, 1), y(m, 2), allowed(n, 2), chosen(3, 2)

        call random_number(functions)
        y = functions(:, 4:5, 1)
        allowed = 1.0_wp
        allowed(4, :) = 0.0_wp
        allowed(1, :) = 0.0_wp
        call choose(.true., n, m, 1, 2, functions, y, allowed, chosen)
        call check(nint(chosen(1, 1)) /= 3, "what is ruled out")
        call check_equal(nint(chosen(1, 2)), 4, "what is not ruled out")
        y = 2.0_wp
        call choose(.true., n, m, 1, 2, functions, y, allowed, chosen)
        call check(all(nint(chosen(1, :)) == 1), "the first that is allowed, where none is better")
        call check(all(chosen(2, :) == 0.0_wp) .and. all(chosen(3, :) == 2.0_wp), "a constant")
    end subroutine check_ruled_out

    subroutine check_products(n)
        integer, intent(in) :: n

        integer, parameter :: m = 40, fits = 2*width + 1
        real(wp) :: functions(m, n, fits), weights(m, fits), sums(n, fits), own(n, fits)
        real(wp) :: work(width*m*2), scratch(width*n)
        integer :: j, k

        call random_number(functions(:, :, 1))
        call random_number(weights)
        do k = 1, fits
            functions(:, :, k) = functions(:, :, 1)
        end do
        call sum_products(n, m, 1, fits, functions, weights, sums, work, scratch)
        call sum_products(n, m, fits, fits, functions, weights, own, work, scratch)
        call check(all(sums == own), "products with tables of each set's own")
        do k = 1, fits
            do j = 1, n
                call check_at_most(abs(sums(j, k)/dot_product(functions(:, j, k), weights(:, k)) - 1.0_wp), m*eps, &
                                   "products")
            end do
        end do
    end subroutine check_products

    !> Waves that die away at each of the rates, complete or with gaps.
    subroutine check_waves()
        integer, parameter :: m = 120, fits = 20
        real(wp), parameter :: rates(5) = [0.0_wp, 1.0_wp, 3.0_wp, 9.0_wp, 27.0_wp]
        real(wp) :: x(m, fits), y(m, fits), cycles(fits), allowed(5), waves(5, fits), own(5, fits), work(width*m*3)
        real(wp) :: angle(m)
        integer :: i, k

        do k = 1, fits
            x(:, k) = [(i/(m - 1.0_wp), i = 0, m - 1)]
            cycles(k) = 0.5_wp + 0.7_wp*k
            angle = 8.0_wp*atan(1.0_wp)*cycles(k)*x(:, k)
            y(:, k) = 7.0_wp + exp(-rates(mod(k, 5) + 1)*x(:, k))*(3.0_wp*cos(angle) - 2.0_wp*k*sin(angle))
            if (k > 10) y(k:m:9, k) = ieee_value(1.0_wp, ieee_quiet_nan)
        end do
        allowed = 1.0_wp
        call fit_waves(5, m, 1, fits, x(:, 1), y, cycles, 1, allowed, waves, work)
        call fit_waves(5, m, fits, fits, x, y, cycles, 1, allowed, own, work)
        call check(all(waves == own), "waves over each set's own predictor")
        do k = 1, fits
            call check_equal(nint(waves(1, k)), mod(k, 5), "the rate of a wave")
            call check_at_most(abs(waves(2, k) - 3.0_wp), 1.0e-10_wp, "the amplitude of its cosine")
            call check_at_most(abs(waves(3, k) + 2.0_wp*k), 1.0e-10_wp, "the amplitude of its sine")
            call check_at_most(abs(waves(4, k) - 7.0_wp), 1.0e-10_wp, "its offset")
            call check_at_most(abs(waves(5, k) - 1.0_wp), 1.0e-10_wp, "all of the variance is explained")
        end do
        allowed(2) = 0.0_wp
        call fit_waves(5, m, 1, fits, x(:, 1), y, cycles, 1, allowed, waves, work)
        call check(all(nint(waves(1, 1:fits:5)) /= 1), "a rate that is ruled out")
    end subroutine check_waves

    pure real(wp) function sign_of(value)
        real(wp), intent(in) :: value

        sign_of = sign(1.0_wp, value)
    end function sign_of

end program test_guesses
